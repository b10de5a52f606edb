/** The part of pg-pool that is tried; the package has no types of its own. */
declare module "pg-pool" {
  import { EventEmitter } from "node:events"

  export interface Lent {
    readonly release: (broken?: boolean) => void
  }

  export interface Options {
    readonly Client: new() => EventEmitter
    readonly max: number
    readonly min: number
    readonly connectionTimeoutMillis: number
    readonly maxLifetimeSeconds?: number
  }

  export default class Pool<C> extends EventEmitter {
    constructor(options: Options)
    readonly totalCount: number
    readonly idleCount: number
    readonly waitingCount: number
    connect(): Promise<C & Lent>
    end(): Promise<void>
  }
}
