// The run's scratch directory and the register of everything the run creates outside it or in it.
// Contract only for now: the implementation replaces these lines and keeps the shapes.

/** One resource; the line is written to the register before the thing itself is created. */
export type Resource =
  | { readonly kind: 'directory'; readonly path: string }
  /** A process tree whose command lines or working directories name `under`, a path inside the scratch directory. */
  | { readonly kind: 'process'; readonly what: string; readonly under: string };

export interface Scratch {
  /** `<root>/backup-drills-<run id>`: the path itself labels what belongs to the run. */
  readonly path: string;
  /** 0700, owned by the user that runs the drill: dumps, manifests, keys. */
  readonly work: string;
  /** Where a server's own files go; as root its children may belong to `nobody`. */
  readonly server: string;
  /** Writes the resource to the register, durably, before the caller creates it. */
  register(resource: Resource): void;
}
