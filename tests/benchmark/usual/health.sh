#!/usr/bin/env bash
# A morning check as a shell script: what the operations guide's asks, made to work on the sandbox's primary region. One line an answer; ends with how many.
# Addresses come as arguments of the environment (BENCH_*), passwords as REDISCLI_AUTH, NEO4J_PASSWORD and PGPASSFILE.
set -uo pipefail

answers=0
say() {
    answers=$((answers + 1))
    printf '%s: %s\n' "$1" "$2"
}
word() { if "${@:2}" >/dev/null 2>&1; then say "$1" healthy; else say "$1" unhealthy; fi; }
asked() { curl --silent --show-error --max-time 5 --get --data-urlencode "query=$1" "$BENCH_PROMETHEUS/api/v1/query"; }
first() { python3 -c 'import json, sys; found = json.load(sys.stdin)["data"]["result"]; print(found[0]["value"][1] if found else "no data")'; }

say nodes "$(kubectl --kubeconfig "$BENCH_KUBECONFIG" get nodes --no-headers | awk '{print $1, $2}' | paste -sd, -)"
say pods "$(kubectl --kubeconfig "$BENCH_KUBECONFIG" get pods --all-namespaces --no-headers 2>/dev/null | grep -vc -e Running -e Completed) not running"
word postgresql pg_isready --host "$BENCH_POSTGRESQL_HOST" --port "$BENCH_POSTGRESQL_PORT" --timeout 5
word neo4j cypher-shell --address "$BENCH_NEO4J" --username neo4j 'RETURN 1'
say redis "$(redis-cli -h "$BENCH_REDIS_HOST" -p "$BENCH_REDIS_PORT" --user operations PING)"
say stripe "$(curl --silent --output /dev/null --write-out '%{http_code}' --max-time 5 --header 'Authorization: Bearer sk_test_123' "$BENCH_STRIPE/v1/account")"
say alerts "$(asked 'count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[24h]))' | first)"
say active-tenants "$(asked 'sum(leanvibe_active_tenants)' | first)"
say signups "$(asked 'sum(increase(leanvibe_tenant_signups_total[24h]))' | first)"
echo "answers: $answers"
