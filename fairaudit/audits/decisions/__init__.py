"""What audits of decisions, scores, numbers and rankings share."""
