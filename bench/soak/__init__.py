"""Large runs that show limits (`make soak`): each is a module in `bench.soak.runs`, none is part of `make test`."""
