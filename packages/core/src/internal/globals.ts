/**
 * What this package takes from the runtime, and all of them have: only this much, so that nothing else of one of them
 * creeps in. Whoever uses the package sees these names by the types of their own runtime.
 *
 * @internal
 */

declare global {
  interface AbortSignal {
    readonly aborted: boolean
    readonly reason: unknown
    throwIfAborted(): void
  }

  interface URLSearchParams {
    getAll(name: string): Array<string>
    keys(): Iterable<string>
  }

  interface URL {
    readonly protocol: string
    readonly username: string
    readonly password: string
    readonly hostname: string
    readonly port: string
    readonly pathname: string
    readonly search: string
    readonly hash: string
    readonly searchParams: URLSearchParams
  }

  const URL: {
    new(url: string): URL
    canParse(url: string): boolean
  }
}
