"""What the bytes of containers and codecs say, read without a demuxer."""
