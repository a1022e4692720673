import { parentPort, workerData } from "node:worker_threads";
import { verifyStore } from "./verify.ts";

const { folder, from } = workerData as { readonly folder: string; readonly from: string };
parentPort?.postMessage(await verifyStore(folder, { from }));
