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
    const [user, system, childUser, childSystem] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop().split(' ').slice(11, 15).map(Number);
    return (user + system + childUser + childSystem) * TICK_MS;
  } catch {
    return 0;
  }
}

/** Starts a stretch; the function it returns gives the share of all cores that others than this process and `pids` used. */
export function othersSince(pids) {
  const others = () => busyMs() - cpuMs('self') - [...pids].reduce((sum, pid) => sum + cpuMs(pid), 0);
  const before = others();
  const start = performance.now();
  return () => Math.max(0, others() - before) / ((performance.now() - start) * cpus().length);
}

export function machine() {
  const model = /^model name\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? process.arch;
  return `${model}, ${cpus().length} cores, Node ${process.version}, load average ${loadavg().map((n) => n.toFixed(2)).join(' ')}`;
}
