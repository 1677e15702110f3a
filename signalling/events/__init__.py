"""The events sockets: what happens in the database, carried to the sockets that may hear it."""
