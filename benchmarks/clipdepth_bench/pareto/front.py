"""Which of several choices no other one beats."""

from collections.abc import Sequence

Cost = tuple[float, float]
"""Two numbers of which less is better."""


def pareto_front(costs: Sequence[Cost]) -> list[int]:
    """The indices of the costs that none of the others dominates, by their first number, then in order.

    One dominates another when it is as good in both numbers and better in one; equal ones stay together.
    """
    front: list[int] = []
    for index in sorted(range(len(costs)), key=lambda index: costs[index]):
        if not front or costs[index][1] < costs[front[-1]][1] or costs[index] == costs[front[-1]]:
            front.append(index)
    return front
