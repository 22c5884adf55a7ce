// Who else used the machine: the CPU time of all, less that of this benchmark's own processes.
import { readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';

const TICK_MS = 10; // USER_HZ is 100 on every Linux port Node runs on

function busyMs() {
  const times = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0].trim().split(/\s+/).slice(1).map(Number);
  const [user, nice, system, , , irq, softirq, steal] = times;
  return (user + nice + system + irq + softirq + steal) * TICK_MS;
}

/** CPU time of a process and of the children it has waited for; 0 once it is gone. */
export function cpuMs(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop().split(' ').map(Number);
    return (fields[11] + fields[12] + fields[13] + fields[14]) * TICK_MS; // utime, stime, cutime, cstime
  } catch {
    return 0;
  }
}

/** Starts a stretch; the function it returns gives the share of all cores that others used. `pids` are ours. */
export function othersSince(pids) {
  const others = () => busyMs() - cpuMs('self') - [...pids].reduce((sum, pid) => sum + cpuMs(pid), 0);
  const before = others();
  const start = performance.now();
  return () => Math.max(0, others() - before) / ((performance.now() - start) * cpus().length);
}

export function machine() {
  const model = /^model name\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? process.arch;
  const load = loadavg().map((n) => n.toFixed(2)).join(' ');
  return `${model}, ${cpus().length} cores, Node ${process.version}, load average ${load}`;
}
