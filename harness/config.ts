// The door that a configuration file comes in by. It reads nothing: not the environment, not a file.
import type { FromEnvironment } from './config/leaf.ts';
import type { DrillConfig } from './config/schema.ts';

export type { DrillConfig } from './config/schema.ts';

/** Says that an object is a configuration, so that the editor helps to write it. Returns it as it is. */
export function defineConfig(config: DrillConfig): DrillConfig {
  return config;
}

/**
 * Stands for a value that the environment holds when a command runs: of the variable `NAME`, or of the file whose path
 * `NAME_FILE` holds. A variable that is not set then is an error, never a default.
 */
export function env(name: string): FromEnvironment {
  return { env: name };
}
