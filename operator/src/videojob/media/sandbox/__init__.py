"""What the decoder process gives up before it reads untrusted bytes."""
