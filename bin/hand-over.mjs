// @ts-check
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/** Set in the child, so that a wrong Node in the package cannot hand over for ever. */
export const HANDED_OVER = 'KEYWATCH_HANDED_OVER';

/** @type {readonly NodeJS.Signals[]} */
const FORWARDED = ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR2'];

/**
 * Runs the same command under another Node: same arguments, same streams, signals passed on. Resolves with the exit
 * code to use; a child that a signal ended gives 128 and the number of the signal, as a shell does.
 *
 * @param {{ node: string, args: readonly string[] }} command
 * @returns {Promise<number>}
 */
export function handOver(command) {
  return new Promise((resolve, reject) => {
    const child = spawn(command.node, command.args, { stdio: 'inherit', env: { ...process.env, [HANDED_OVER]: '1' } });
    const listeners = FORWARDED.map((signal) => {
      const listener = () => {
        // Ctrl-C and Ctrl-\ reach the whole group from the terminal: passing them on would make two of one.
        if (process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT')) return;
        child.kill(signal);
      };
      process.on(signal, listener);
      return { signal, listener };
    });
    const stopListening = () => {
      for (const { signal, listener } of listeners) process.removeListener(signal, listener);
    };
    child.on('error', (error) => {
      stopListening();
      reject(error);
    });
    child.on('exit', (code, signal) => {
      stopListening();
      resolve(code === null ? 128 + (signal === null ? 0 : constants.signals[signal]) : code);
    });
  });
}
