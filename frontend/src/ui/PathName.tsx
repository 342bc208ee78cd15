/** The name of a run or matrix: where room is short, its folders are cut before its end is. */
export function PathName({ name, separators = "/" }: { name: string; separators?: string }) {
  const cut = Math.max(...[...separators].map((separator) => name.lastIndexOf(separator))) + 1;
  return (
    <span class="path-name" title={name}>
      {cut > 0 && <span class="path-head">{name.slice(0, cut)}</span>}
      <span class="path-tail">{name.slice(cut)}</span>
    </span>
  );
}

export function RunName({ run, colour }: { run: string; colour: string }) {
  return (
    <span class="run-name">
      <i class="run-dot" style={{ background: colour }} />
      <PathName name={run === "" ? "." : run} />
    </span>
  );
}
