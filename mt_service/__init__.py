"""Online translation: engine, HTTP server, web page and command line."""
