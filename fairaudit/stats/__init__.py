"""What sums can prove: intervals, comparisons, permutation tests, power.

Nothing here knows what was counted. The input is always `Sums` (counts per cluster and group)
and a metric (a smooth function of summed counts).
"""
