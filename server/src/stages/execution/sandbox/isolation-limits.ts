import type { Limits } from "../../../base/limits.ts";
import type { SandboxLimits } from "./driver.ts";

/** What one sandbox may use, as lanyard.yaml has it. */
export const isolationLimits = (limits: Limits, wallMs: number): SandboxLimits => ({
  cpuMs: limits.sandbox_cpu_ms,
  memoryBytes: limits.sandbox_memory_bytes,
  processes: limits.sandbox_processes,
  diskBytes: limits.sandbox_disk_bytes,
  fileBytes: limits.sandbox_file_bytes,
  files: limits.sandbox_files,
  wallMs,
});
