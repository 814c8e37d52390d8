"""How messages and artefacts are carried: bus, object store, settings and the service runtime."""
