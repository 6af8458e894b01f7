"""Encoder-decoders: networks that write a line token by token, each after those before it."""
