"""From hits to alerts: correlation, grouping, who is behind them, where they go, the answers."""
