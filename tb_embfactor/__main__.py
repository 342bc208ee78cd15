from tb_embfactor.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
