"""SIP messages, by HEP, from captures or as JSON, to call events."""
