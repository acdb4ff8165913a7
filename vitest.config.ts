// The project's own tests. Drills and checks are run by their command, which reads no configuration file.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{drills,checks,fixtures,harness,ops}/**/*.test.ts', '*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
    retry: 0,
    allowOnly: false,
    passWithNoTests: false,
    dangerouslyIgnoreUnhandledErrors: false,
    expect: { requireAssertions: true },
    restoreMocks: true,
    unstubEnvs: true,
    unstubGlobals: true,
  },
});
