// The settings of a throw-away server: it may lose everything when the machine falls, and must not tell what is in it.
import { totalmem } from 'node:os';

export type Settings = Readonly<Record<string, string | number | boolean>>;

/** By their names in postgresql.conf. */
export function embeddedSettings(major: number, socketDirectory: string): Settings {
  return {
    ...throwAway(major),
    // Only whom the file system lets in.
    listen_addresses: '',
    unix_socket_directories: socketDirectory,
    unix_socket_permissions: '0700',
  };
}

/** By their names in postgresql.conf. The loopback of a container without a network is reached through the tunnel only. */
export function containerSettings(major: number): Settings {
  return { ...throwAway(major), listen_addresses: '127.0.0.1' };
}

function throwAway(major: number): Settings {
  const mebibytes = Math.floor(usableMemory() / 2 ** 20);
  const part = (fraction: number, least: number, most: number): string => `${Math.min(most, Math.max(least, Math.floor(mebibytes * fraction)))}MB`;
  return {
    max_connections: 40,
    // All shared memory goes when the process does, or lies in the scratch directory: nothing in /dev/shm.
    shared_memory_type: 'mmap',
    dynamic_shared_memory_type: 'mmap',
    huge_pages: 'off',
    shared_buffers: part(1 / 16, 32, 256),
    maintenance_work_mem: part(1 / 32, 32, 256),
    // A dump of thousands of tables is locked in one transaction.
    max_locks_per_transaction: 1024,
    // Nothing has to survive a crash, and nothing follows this server.
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    wal_level: 'minimal',
    max_wal_senders: 0,
    // A subscription of the dump's connects nowhere, whoever enables it.
    max_logical_replication_workers: 0,
    max_wal_size: '1GB',
    checkpoint_timeout: '1h',
    autovacuum: 'off',
    jit: 'off',
    // A crash is told as one, and never followed by a recovery in mid-restore.
    restart_after_crash: 'off',
    // The log says how the server fares and holds no statement, no parameter and no error of a statement: those quote rows.
    logging_collector: 'off',
    log_min_messages: 'log',
    log_min_error_statement: 'panic',
    log_statement: 'none',
    log_min_duration_statement: -1,
    log_error_verbosity: 'terse',
    log_checkpoints: 'off',
    log_line_prefix: '%m [%p] %e ',
    ...(major >= 13 ? { log_parameter_max_length: 0, log_parameter_max_length_on_error: 0 } : {}),
    timezone: 'UTC',
    log_timezone: 'UTC',
    lc_messages: 'C',
  };
}

/** As lines of postgresql.conf. */
export function settingsText(settings: Settings): string {
  return Object.entries(settings).map(([name, value]) => `\n${name} = '${String(value).replaceAll("'", "''")}'`).join('') + '\n';
}

/** Bytes: the machine's memory, or what a container may use of it. */
function usableMemory(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}
