"""`python -m signalling`."""

from signalling.main import main

main()
