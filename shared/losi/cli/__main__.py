from losi.cli import main

main()
