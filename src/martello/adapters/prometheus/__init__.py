"""Raw samples of containers from Prometheus and what speaks its API (Thanos, Mimir,
VictoriaMetrics): asked in bounded pieces, decoded fast, told of whom they are.
"""
