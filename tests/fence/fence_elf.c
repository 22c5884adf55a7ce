#include "fence_elf.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
  const uint8_t *data;
  size_t size;
};

/* `count` records of `size` bytes at `offset`; NULL if the file has not so many. */
static const void *part(const struct file *f, uint64_t offset, uint64_t count, uint64_t size) {
  if (size == 0 || offset > f->size || count > (f->size - offset) / size) return NULL;
  return f->data + offset;
}

static bool read_segments(const struct file *f, const Elf64_Ehdr *header, struct fence_elf *elf) {
  const Elf64_Phdr *segments = part(f, header->e_phoff, header->e_phnum, sizeof *segments);
  if (segments == NULL) return false;
  elf->write_exec = true; /* so without PT_GNU_STACK */
  for (size_t i = 0; i < header->e_phnum; i++) {
    const Elf64_Phdr *s = &segments[i];
    if (s->p_type == PT_INTERP) elf->interpreter = true;
    if (s->p_type == PT_GNU_STACK) elf->write_exec = s->p_flags & PF_X;
  }
  for (size_t i = 0; i < header->e_phnum; i++) {
    const Elf64_Phdr *s = &segments[i];
    if (s->p_type == PT_LOAD && s->p_flags & PF_X && s->p_flags & PF_W) elf->write_exec = true;
    if (s->p_type != PT_DYNAMIC) continue;
    const size_t count = s->p_filesz / sizeof(Elf64_Dyn);
    const Elf64_Dyn *entries = part(f, s->p_offset, count, sizeof *entries);
    if (entries == NULL) return false;
    for (size_t n = 0; n < count && entries[n].d_tag != DT_NULL; n++) elf->needed += entries[n].d_tag == DT_NEEDED;
  }
  return true;
}

static bool read_symbols(const struct file *f, const Elf64_Ehdr *header, void (*symbol)(void *, const char *),
                         void *context) {
  const Elf64_Shdr *sections = part(f, header->e_shoff, header->e_shnum, sizeof *sections);
  for (size_t i = 0; sections != NULL && i < header->e_shnum; i++) {
    const Elf64_Shdr *s = &sections[i];
    if (s->sh_type != SHT_SYMTAB || s->sh_link >= header->e_shnum) continue;
    const Elf64_Shdr *strings = &sections[s->sh_link];
    const size_t count = s->sh_size / sizeof(Elf64_Sym);
    const Elf64_Sym *symbols = part(f, s->sh_offset, count, sizeof *symbols);
    const char *names = part(f, strings->sh_offset, strings->sh_size, 1);
    if (symbols == NULL || names == NULL || strings->sh_size == 0 || names[strings->sh_size - 1] != 0) return false;
    for (size_t n = 0; n < count; n++) {
      if (symbols[n].st_name < strings->sh_size) symbol(context, names + symbols[n].st_name);
    }
    return true;
  }
  return false;
}

struct fence_elf fence_elf_read(const char *path, void (*symbol)(void *context, const char *name), void *context) {
  struct fence_elf elf = {.valid = false};
  struct stat st;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return elf;
  void *data = fstat(fd, &st) == 0 ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
  close(fd);
  if (data == MAP_FAILED) return elf;
  const struct file f = {data, (size_t)st.st_size};
  const Elf64_Ehdr *header = part(&f, 0, 1, sizeof *header);
  elf.valid = header != NULL && memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
              header->e_ident[EI_CLASS] == ELFCLASS64 && read_segments(&f, header, &elf) &&
              read_symbols(&f, header, symbol, context);
  munmap(data, f.size);
  return elf;
}
