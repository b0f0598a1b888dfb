SELECT page_count * page_size FROM PRAGMA_page_count, PRAGMA_page_size
