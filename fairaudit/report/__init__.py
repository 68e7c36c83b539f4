"""An audit for people and for machines; nothing here computes."""
