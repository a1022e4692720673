import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";

// A worker of sqlite-medium: copies the write-ahead log into the database, off the event loop. PASSIVE waits for nobody and stops nobody.
const port = parentPort;
port?.on("message", () => {
  try {
    using database = new DatabaseSync(workerData as string, { timeout: 0 });
    database.exec("PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(PASSIVE)");
  } catch {
    // A full disk: the commits themselves say so.
  }
  port.postMessage("done");
});
