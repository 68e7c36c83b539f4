"""What the audits of transcripts share: texts read, normalised, aligned, compared, explained."""
