// The drill of the database: every step of the plan is one test, in order.
import { suite } from '../harness/suite/worker.ts';
import { drillPlan } from '../harness/unit/drill.ts';

suite('database', drillPlan);
