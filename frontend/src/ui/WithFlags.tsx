/** Code spans for what a user would type: flags and paths in backquotes or after two hyphens. */
export function WithFlags({ text }: { text: string }) {
  const parts = text.split(/(--[a-z_]+(?: (?:RUN=PATH|PATH|FILE|[^\s;,]+\/[^\s;,]*|[^\s;,]+=[^\s;,]+))?)/);
  return (
    <>
      {parts.map((part, at) =>
        part.startsWith("--") ? (
          <code class="flag" key={at}>
            {part}
          </code>
        ) : (
          part
        ),
      )}
    </>
  );
}
