// What of a server's log may leave the scratch directory.

/** The log's last lines, cut to what cannot be data: SQLSTATE, level, and the message up to the first thing it quotes. */
export function lastWords(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const server = /^\S+ \S+ \S+ \[\d+\] (\w{5}) (FATAL|PANIC|LOG): +([^":]{1,80})/.exec(line);
    if (server !== null) return server[2] === 'LOG' && server[1] === '00000' && !/terminated by signal/.test(server[3]!) ? [] : [`${server[1]} ${server[2]}: ${server[3]!.trim()}`];
    const other = /(?:initdb: error|error while loading shared libraries|FATAL|PANIC): +([^":]{1,80})/.exec(line);
    return other === null ? [] : [other[1]!.trim()];
  }).slice(-3);
}
