/** Names of the databases in a data directory. */
export const METRICS_FILE = 'metrics.db';
