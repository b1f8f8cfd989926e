"""What is odd about BlazingText's answers: batch transform sends and gets JSON Lines, where calls speak JSON."""

BATCH_RESPONSE = "application/jsonlines"
