import { readFileSync } from 'node:fs';

/** Clock ticks per second of /proc: fixed on Linux. */
const TICKS = 100;

export type Usage = { readonly cpuSeconds: number; readonly rssMb: number };

/** CPU of a whole process since its start, all threads, user and system; and the most memory it ever held. Undefined when it is gone. */
export function usageOf(pid: number): Usage | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [user = Number.NaN, system = Number.NaN] = fields.slice(11, 13).map(Number);
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return { cpuSeconds: (user + system) / TICKS, rssMb: Number(peak) / 1024 };
  } catch {
    return undefined;
  }
}
