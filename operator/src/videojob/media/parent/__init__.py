"""The decoder as its parent has it: started, restarted after a crash, its answers checked. Without PyAV."""
