"""Views: sums over entries. A view adds and takes out entries and answers questions; nothing of it is stored."""
