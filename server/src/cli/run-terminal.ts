import type { Readable, Writable } from "node:stream";
import { ReadStream, WriteStream } from "node:tty";
import type { TerminalSize } from "../stages/execution/sandbox/driver.ts";

/** The terminal of whoever typed the command, while one inside has it. */
interface BorrowedTerminal extends Disposable {
  size(): TerminalSize;
  onResize(listener: (size: TerminalSize) => void): void;
}

/**
 * Hands every key on as it is typed, Ctrl-C too: the terminal inside knows what it means there. Disposed, the terminal is as it was; so it is
 * when this process is ended, by Node itself. Null where input and output are not both a terminal.
 */
export function borrowTerminal({ stdin, stdout }: { readonly stdin: Readable; readonly stdout: Writable }): BorrowedTerminal | null {
  if (!(stdin instanceof ReadStream) || !(stdout instanceof WriteStream)) return null;
  const listeners: (() => void)[] = [];
  const size = (): TerminalSize => ({ columns: stdout.columns, rows: stdout.rows });
  stdin.setRawMode(true);
  return {
    size,
    onResize: (listener) => {
      const hear = () => listener(size());
      stdout.on("resize", hear);
      listeners.push(hear);
    },
    [Symbol.dispose]: () => {
      stdin.setRawMode(false);
      for (const hear of listeners) stdout.off("resize", hear);
    },
  };
}
