/**
 * What is known of commands: which may be repeated, which block, which change the connection that they run on.
 *
 * @internal
 */

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/))

const READS = words(`
  bitcount bitfield_ro bitpos dbsize dump echo eval_ro evalsha_ro exists expiretime fcall_ro geodist geohash geopos
  georadius_ro georadiusbymember_ro geosearch get getbit getrange hexists hexpiretime hget hgetall hkeys hlen hmget
  hpexpiretime hpttl hrandfield hscan hstrlen httl hvals info keys lcs lindex llen lolwut lpos lrange mget memory
  object pexpiretime pfcount ping pttl pubsub randomkey scan scard sdiff sinter sintercard sismember smembers smismember
  sort_ro srandmember sscan strlen substr sunion time touch ttl type xinfo xlen xpending xrange xread xrevrange zcard
  zcount zdiff zinter zintercard zlexcount zmscore zrandmember zrange zrangebylex zrangebyscore zrank zrevrange
  zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion
`)

/** Run twice they leave the data as run once, whatever they answer. */
const SETTING = words(`
  bitop del expire expireat flushall flushdb geoadd hdel hexpire hexpireat hmset hpersist hpexpire hpexpireat hset lset
  mset persist pexpire pexpireat pfadd pfmerge psetex sadd script sdiffstore set setbit setex setrange sinterstore srem
  sunionstore unlink xack xdel zadd zdiffstore zinterstore zrangestore zrem zremrangebylex zremrangebyscore zunionstore
`)

/** Arguments with which a command does more than set. */
const NOT_SETTING: Record<string, ReadonlySet<string>> = {
  set: words("nx get"),
  zadd: words("incr"),
  script: words("kill debug")
}

type Args = ReadonlyArray<unknown>

const lower = (value: unknown): string => typeof value === "string" ? value.toLowerCase() : ""

export const isIdempotent = (command: string, args: Args): boolean => {
  if (READS.has(command)) return true
  if (!SETTING.has(command)) return false
  const excluded = NOT_SETTING[command]
  return excluded === undefined || !args.slice(OPTIONS_FROM[command] ?? 0).some((arg) => excluded.has(lower(arg)))
}

/** Where the options of a command begin: a value may look like one. */
const OPTIONS_FROM: Record<string, number> = { set: 2, zadd: 1 }

/** Ends of time: where a blocking command has its own limit, and in which unit of milliseconds. */
const LAST = (unit: number) => (args: Args): number => Number(args.at(-1)) * unit
const FIRST = (args: Args): number => Number(args[0]) * 1000
const AFTER_BLOCK = (args: Args): number | undefined => {
  const at = args.findIndex((arg) => lower(arg) === "block")
  return at < 0 ? undefined : Number(args[at + 1])
}

const BLOCKING: Record<string, (args: Args) => number | undefined> = {
  blmove: LAST(1000),
  blmpop: FIRST,
  blpop: LAST(1000),
  brpop: LAST(1000),
  brpoplpush: LAST(1000),
  bzmpop: FIRST,
  bzpopmax: LAST(1000),
  bzpopmin: LAST(1000),
  wait: LAST(1),
  waitaof: LAST(1),
  xread: AFTER_BLOCK,
  xreadgroup: AFTER_BLOCK
}

/** For how many milliseconds the server may hold back the answer; 0 and NaN: without a bound; `undefined`: not at all. */
export const blocksFor = (command: string, args: Args): number | undefined =>
  Object.hasOwn(BLOCKING, command) ? BLOCKING[command]?.(args) : undefined

const TRANSACTION = words("multi exec discard")

/** What a connection keeps in mind until it is told to forget it. */
const WATCHING = words("watch unwatch")

/** What it keeps in mind for good, or ends it. */
const LASTING = words(`
  asking auth hello monitor psubscribe psync punsubscribe quit readonly readwrite replconf reset select ssubscribe
  subscribe sunsubscribe sync unsubscribe
`)

/** CLIENT commands that change the connection. */
const CLIENT_LASTING = words("reply tracking caching no-evict no-touch setname setinfo kill pause")

export type Effect = "none" | "transaction" | "watching" | "lasting"

/** What a command does to the connection it runs on. */
export const effectOf = (command: string, args: Args): Effect => {
  if (TRANSACTION.has(command)) return "transaction"
  if (WATCHING.has(command)) return "watching"
  const lasting = LASTING.has(command) || (command === "client" && CLIENT_LASTING.has(lower(args[0])))
  return lasting ? "lasting" : "none"
}
