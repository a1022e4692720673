/** How far long work is: one line on standard error that writes over itself. Shown on a terminal only, and gone when cleared. */
export interface ProgressLine {
  /** Without `total` where nobody knows it yet. */
  show(done: number, total?: number): void;
  clear(): void;
}

/** `what` says what is counted: `checked 120 of 1000 policies`. */
export const progressLine = (verb: string, what: string): ProgressLine => {
  const { stderr } = process;
  let shown = "";
  return {
    show: (done, total) => {
      const line = `${verb} ${done}${total === undefined ? "" : ` of ${total}`} ${what}`;
      if (stderr.isTTY !== true || line === shown) return;
      stderr.write(`\r\x1b[K${line}`);
      shown = line;
    },
    clear: () => {
      if (shown !== "") stderr.write("\r\x1b[K");
      shown = "";
    },
  };
};
