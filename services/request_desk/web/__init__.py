"""What people and programs meet of the request desk: sign-in, JSON API, UWS and DataLink over HTTP."""
