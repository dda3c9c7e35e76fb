import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where state is kept when nobody says otherwise: $XDG_STATE_HOME/keywatch, else ~/.local/state/keywatch. */
export function defaultDataDirectory(env: Readonly<Record<string, string | undefined>>): string {
  const state = env['XDG_STATE_HOME'];
  // The standard says that a relative path there is to be ignored.
  return join(state?.startsWith('/') === true ? state : join(env['HOME'] ?? homedir(), '.local', 'state'), 'keywatch');
}
