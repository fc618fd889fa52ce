# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tenant may do in Redis: the one table of commands. Pure data.

An allow-list, because taking away ``@dangerous`` leaves commands that see everybody's keys (SCAN, RANDOMKEY, DBSIZE). A command is here only
if every key and channel that it touches is among its arguments, where Redis checks them against the user's patterns (Redis 7.0 and newer), and if
it neither tells about others nor acts on the server as a whole. AUTH, HELLO, QUIT and RESET are always allowed by Redis and give nothing away.
"""

from __future__ import annotations

from collections.abc import Mapping

ALLOWED: Mapping[str, str] = {
    "connection": (
        "acl|whoami client|getname client|id client|info client|reply client|setname command echo ping select|0 time"
        " asking cluster|keyslot cluster|shards cluster|slots readonly readwrite"
    ),
    "keys": (
        "del exists expire expireat expiretime memory|usage object|encoding object|freq object|idletime object|refcount persist pexpire pexpireat"
        " pexpiretime pttl rename renamenx touch ttl type unlink"
    ),
    "strings": (
        "append decr decrby get getdel getex getrange getset incr incrby incrbyfloat lcs mget mset msetnx psetex set setex setnx setrange strlen substr"
    ),
    "bitmaps": "bitcount bitfield bitfield_ro bitop bitpos getbit setbit",
    "hashes": "hdel hexists hget hgetall hincrby hincrbyfloat hkeys hlen hmget hmset hrandfield hscan hset hsetnx hstrlen hvals",
    "lists": ("blmove blmpop blpop brpop brpoplpush lindex linsert llen lmove lmpop lpop lpos lpush lpushx lrange lrem lset ltrim rpop rpoplpush rpush rpushx"),
    "sets": ("sadd scard sdiff sdiffstore sinter sintercard sinterstore sismember smembers smismember smove spop srandmember srem sscan sunion sunionstore"),
    "sorted sets": (
        "bzmpop bzpopmax bzpopmin zadd zcard zcount zdiff zdiffstore zincrby zinter zintercard zinterstore zlexcount zmpop zmscore zpopmax zpopmin"
        " zrandmember zrange zrangebylex zrangebyscore zrangestore zrank zrem zremrangebylex zremrangebyrank zremrangebyscore zrevrange zrevrangebylex"
        " zrevrangebyscore zrevrank zscan zscore zunion zunionstore"
    ),
    "streams": (
        "xack xadd xautoclaim xclaim xdel xgroup|create xgroup|createconsumer xgroup|delconsumer xgroup|destroy xgroup|setid xinfo|consumers"
        " xinfo|groups xinfo|stream xlen xpending xrange xread xreadgroup xrevrange xtrim"
    ),
    "counting": "pfadd pfcount pfmerge",
    "places": "geoadd geodist geohash geopos geosearch geosearchstore",
    "messages": "psubscribe publish punsubscribe spublish ssubscribe subscribe sunsubscribe unsubscribe",
    "transactions": "discard exec multi unwatch watch",
}

# Allowed where the server knows them (it refuses a rule that names an unknown command): Redis 7.2, 7.4 and 8.0.
ALLOWED_IF_KNOWN = (
    "client|setinfo",
    "hexpire",
    "hexpireat",
    "hexpiretime",
    "hgetdel",
    "hgetex",
    "hpersist",
    "hpexpire",
    "hpexpireat",
    "hpexpiretime",
    "hpttl",
    "hsetex",
    "httl",
)

# What an application may miss, and why it is not allowed. A test holds every one of these against a real server.
REFUSED: Mapping[str, str] = {
    "scan": "lists everybody's keys: MATCH is no boundary",
    "keys": "lists everybody's keys",
    "randomkey": "returns anybody's key",
    "dbsize": "counts everybody's keys",
    "info": "counts keys and clients of all",
    "client|list": "shows everybody's connections",
    "client|kill": "ends others' connections",
    "client|pause": "stops everybody",
    "client|unblock": "ends others' waiting commands",
    "client|no-evict": "keeps its memory at the expense of others",
    "client|tracking": "in broadcasting mode tells the names of everybody's keys",
    "pubsub": "names and counts everybody's channels",
    "eval": "one endless script stops the server for all; all scripts share one interpreter",
    "evalsha": "as eval",
    "eval_ro": "as eval",
    "evalsha_ro": "as eval",
    "script": "its cache is shared; FLUSH and KILL act on others' scripts",
    "function": "libraries are shared: LIST shows others' code, FLUSH and RESTORE replace it",
    "fcall": "runs code that others may have loaded",
    "fcall_ro": "as fcall",
    "sort": "BY and GET reach keys that are not among its arguments",
    "sort_ro": "as sort",
    "copy": "writes into other databases, where nothing is measured",
    "move": "as copy",
    "swapdb": "exchanges everybody's data",
    "flushdb": "deletes everybody's data",
    "flushall": "deletes everybody's data",
    "migrate": "sends data to any address",
    "dump": "only useful with restore",
    "restore": "reads a binary format that was a way in before",
    "restore-asking": "as restore",
    "georadius": "superseded by geosearch; its STORE key is found late",
    "georadiusbymember": "as georadius",
    "monitor": "shows everybody's commands",
    "sync": "sends everybody's data",
    "psync": "sends everybody's data",
    "replicaof": "replaces everybody's data",
    "slaveof": "as replicaof",
    "failover": "acts on the server",
    "wait": "tells about the server's replicas",
    "role": "tells about the server's replicas",
    "cluster|getkeysinslot": "names everybody's keys",
    "cluster|countkeysinslot": "counts everybody's keys",
    "config": "acts on the server",
    "debug": "acts on the server",
    "module": "loads code into the server",
    "slowlog": "shows everybody's commands",
    "latency": "tells about everybody",
    "memory|stats": "tells about everybody",
    "memory|doctor": "tells about everybody",
    "acl|list": "shows everybody's rights and password hashes",
    "acl|getuser": "shows others' rights and password hashes",
    "acl|setuser": "changes rights",
    "acl|log": "shows others' refused commands",
    "save": "acts on the server",
    "bgsave": "acts on the server",
    "bgrewriteaof": "acts on the server",
    "lastsave": "tells about the server",
    "shutdown": "stops everybody",
}


def allowed_commands(known: frozenset[str]) -> tuple[str, ...]:
    """The commands of a tenant on a server that knows ``known`` of ALLOWED_IF_KNOWN, sorted."""
    names = {name for group in ALLOWED.values() for name in group.split()}
    return tuple(sorted(names | (known & frozenset(ALLOWED_IF_KNOWN))))
