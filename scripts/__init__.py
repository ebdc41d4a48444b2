"""One command each; the modules behind them."""
