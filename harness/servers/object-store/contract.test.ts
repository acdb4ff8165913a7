// Our own small server and a real one, held to the same. MinIO is in minio.pull.test.ts, where its image can be had.
import { describe } from 'vitest';
import { contract } from '../../../fixtures/object-store-contract.ts';
import { startOurs, startSeaweedFs } from '../../../fixtures/object-stores.ts';
import { needing } from '../../../fixtures/tools.ts';

describe('our server', () => contract(() => startOurs('backups')));
needing('container engine', 'image of SeaweedFS').describe('SeaweedFS in a container', () => contract(() => startSeaweedFs('backups')));
