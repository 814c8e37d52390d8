"""Who may have what, by the archive's tables: asked by the service that decides and by those who foretell it."""
