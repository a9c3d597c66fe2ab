"""What is done with a ranking before it is an answer: each part a plain function over ids, scores and payloads."""
