"""`python -m local.site`."""

from local.site.build import PUBLIC, ensure_site

if __name__ == "__main__":
    ensure_site()
    print(f"The site is in {PUBLIC}.")
