"""REHEARSES a study: participants that are programs go the whole way, and what they left behind is checked."""
